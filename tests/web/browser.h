/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Chromium without a screen, driven through chromedriver (W3C WebDriver over HTTP), beside a bed of modelled boards. */
#pragma once

#include <jansson.h>

#include "tests/integration/line.h"

struct browser;

/* dir: where it keeps what it must. Fails the test where it does not start. */
struct browser *browser_open(struct bed *bed, const char *dir);
void browser_close(struct browser *browser);

void browser_size(struct browser *browser, unsigned width, unsigned height);
void browser_go(struct browser *browser, const char *url);
/* What a JavaScript expression is, to be released. */
json_t *browser_value(struct browser *browser, const char *expression);
/* Waits until an expression holds: looked at whenever the page changes. Fails the test after half a minute. */
void browser_expect(struct browser *browser, const char *expression);
/* A PNG of what is to be seen. */
void browser_picture(struct browser *browser, const char *path);
/* Nothing was refused by the page's own policy, and no script failed. */
void browser_expect_no_errors(struct browser *browser);
