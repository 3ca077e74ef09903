/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Threads beside the event loop, which alone takes the signals. */
#pragma once

#include <pthread.h>

/* Starts run(userdata), with all signals blocked. Returns 0 or a negative errno. */
int thread_start(pthread_t *ret, void *(*run)(void *userdata), void *userdata);
