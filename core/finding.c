/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdarg.h>
#include <stdio.h>

#include "core/finding.h"
#include "core/printable.h"

static const char *const finding_severity_words[FINDING_SEVERITY_MAX_] = {
        [FINDING_WARNING] = "warning",
        [FINDING_ERROR] = "error",
};
DEFINE_WORDS(finding_severity, finding_severity_words)

static void findings_keep(struct findings *findings, struct finding finding)
{
        struct finding *items = NULL;

        if (finding.text && findings->n_items < FINDINGS_MAX)
                items = reallocarray(findings->items, findings->n_items + 1, sizeof(*items));
        if (!items) {
                free(finding.member);
                free(finding.text);
                return;
        }
        make_printable(finding.text);
        if (finding.member)
                make_printable(finding.member);
        items[findings->n_items++] = finding;
        findings->items = items;
}

void findings_add(struct findings *findings, enum finding_severity severity, const char *member,
                  size_t offset, const char *fmt, ...)
{
        struct finding finding = { .severity = severity, .offset = offset };
        va_list args;

        *(severity == FINDING_ERROR ? &findings->n_errors : &findings->n_warnings) += 1;
        va_start(args, fmt);
        if (vasprintf(&finding.text, fmt, args) < 0)
                finding.text = NULL;
        va_end(args);
        if (member)
                finding.member = strdup(member);
        findings_keep(findings, finding);
}

void findings_done(struct findings *findings)
{
        for (size_t i = 0; i < findings->n_items; i++) {
                free(findings->items[i].member);
                free(findings->items[i].text);
        }
        free(findings->items);
        *findings = (struct findings){ 0 };
}

char *finding_to_string(const struct finding *finding)
{
        const char *severity = finding_severity_to_string(finding->severity), *member = finding->member ?: "";
        char *s;
        int r;

        if (finding->offset != FINDING_NO_OFFSET)
                r = asprintf(&s, "%s: %s%sat offset %zu: %s", severity, member, *member ? " " : "",
                             finding->offset, finding->text);
        else
                r = asprintf(&s, "%s: %s%s%s", severity, member, *member ? ": " : "", finding->text);
        return r < 0 ? NULL : s;
}

int fault_set(struct fault *fault, size_t offset, const char *fmt, ...)
{
        va_list args;

        fault->offset = offset;
        va_start(args, fmt);
        vsnprintf(fault->text, sizeof(fault->text), fmt, args);
        va_end(args);
        return 1;
}
