/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What ends a connection to the broker, in words for one line: what is wrong, and what was expected. Pure. */
#pragma once

#include "core/util.h"

/* By the broker's reason code: ": expected …", or "". */
const char *broker_advice(int reason);
/* One that was made is gone without a word; each_time: as the one before it; unique: nobody else has our client id. */
const char *broker_lost_words(bool each_time, bool unique);
/* The broker hung up without a word before it let us in. */
const char *broker_hung_up_words(bool tls);
/* What TLS met, by OpenSSL's words; an alert is the broker's answer to what we showed: the file certificate, NULL: nothing. */
void broker_tls_print(const char *text, const char *certificate, char *ret, size_t size);
/* A result of libmosquitto's, with errno of that moment; NULL: the other end is gone without a word. */
const char *broker_result_words(int result, int error);
