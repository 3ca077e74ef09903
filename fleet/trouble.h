/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Something that does not work, said in one line when it begins, when it is for another reason, and once an hour. Pure. */
#pragma once

#include "core/util.h"

#define TROUBLE_TEXT_MAX 512
#define TROUBLE_AGAIN    (UINT64_C(3600) * USEC_PER_SEC)

struct trouble {
        char text[TROUBLE_TEXT_MAX]; /* "": none */
        uint64_t said_usec;
};

/* Whether text is to be said now: it is another one, or it was said an hour ago. It is cut to TROUBLE_TEXT_MAX. */
bool trouble_is(struct trouble *trouble, const char *text, uint64_t now_usec);
/* It works. Whether there was trouble: that it is over is to be said. */
bool trouble_over(struct trouble *trouble);
