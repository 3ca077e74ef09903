/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A program of the fleet as systemd's service: asked to end by SIGTERM or SIGINT, tells its state, is alive. */
#pragma once

#include <signal.h>

#include "core/util.h"

struct service {
        sigset_t waiting;                   /* the signal mask to wait with (poll_until()) */
        uint64_t watchdog_usec, alive_usec; /* how often it is to be told, 0: never; when it was */
        char status[256];
};

/* Blocks the signals that end it, and ignores SIGPIPE. */
void service_start(struct service *service);
/* Whether it was asked to end. */
bool service_is_ending(void);
/* Once: it does its work. */
void service_ready(void);
/* What systemctl shows; told when it changes. */
void service_status(struct service *service, const char *format, ...) _printf_(2, 3);
/* In each turn of the main loop: tells that it is alive where it is time to; when to call it again, USEC_INFINITY: never. */
uint64_t service_alive(struct service *service, uint64_t now_usec);
void service_stopping(void);
