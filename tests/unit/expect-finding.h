/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the tests of the image parser say: this broken image gets that finding. Include <cmocka.h> before. */
#pragma once

#include <stdio.h>

#include "tests/unit/fixtures.h"

/* Which finding, and in which member; expect_finding() also wants the verdict that follows from it. */
struct expectation {
        enum finding_severity severity;
        const char *member; /* NULL: the whole file */
        const char *text;
};

#define ERROR(member, text)                                                                                  \
        {                                                                                                    \
                FINDING_ERROR, member, text                                                                  \
        }
#define WARNING(member, text)                                                                                \
        {                                                                                                    \
                FINDING_WARNING, member, text                                                                \
        }

static inline void expect_finding(const struct bytes *bytes, const struct expectation *expected,
                                  const char *story)
{
        _cleanup_(findings_done) struct findings findings = { 0 };
        _cleanup_(image_freep) struct image *image = NULL;
        int r = image_parse(bytes->data, bytes->len, &findings, &image);

        for (size_t i = 0; i < findings.n_items; i++) {
                const struct finding *f = &findings.items[i];

                if (f->severity != expected->severity || !streq_ptr(f->member, expected->member) ||
                    !strstr(f->text, expected->text))
                        continue;
                assert_true(f->offset < bytes->len + (f->offset == 0));
                if (r != (findings.n_errors > 0) || (image != NULL) != (r == 0))
                        fail_msg("%s: returned %d with %zu errors", story, r, findings.n_errors);
                if (expected->severity == FINDING_WARNING && findings.n_errors > 0)
                        fail_msg("%s: only a warning was expected, but: %s", story, findings.items[0].text);
                return;
        }
        fail_msg("%s: nothing about %s says \"%s\"; %zu findings, the first about %s: %s", story,
                 expected->member ?: "the file", expected->text, findings.n_items,
                 findings.n_items && findings.items[0].member ? findings.items[0].member : "the file",
                 findings.n_items ? findings.items[0].text : "");
}
