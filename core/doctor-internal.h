/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the checks of core/doctor-*.c have in common. Inside core/doctor alone. */
#pragma once

#include "core/doctor.h"

struct examination {
        const struct doctor_facts *facts;
        const struct doctor_check *check; /* the row that is at work */
        const char *port;                 /* of facts->where, as far as it is known; NULL */
        struct diagnoses *diagnoses;
};

/* What {port}, {slot} and {node} stand for, and where the finding is: the slot's name, else the port. All may be NULL. */
struct doctor_place {
        const char *slot, *port, *node;
};

/* A finding of the row that is at work; not where somebody asked about another place. */
void doctor_find(struct examination *e, const struct doctor_place *place, const char *fmt, ...)
        _printf_(3, 4);

/* What a place is called: the slot that is there, or NULL. */
const struct slot_status *doctor_slot_at(const struct doctor_facts *facts, const char *port);

/* The checks: each looks at all facts that it is about. */
void find_rule_missing(struct examination *e);
void find_rule_masked(struct examination *e);
void find_group_missing(struct examination *e);
void find_not_in_group(struct examination *e);
void find_group_not_in_session(struct examination *e);
void find_service_masked(struct examination *e);
void find_service_not_installed(struct examination *e);
void find_kernel_log_closed(struct examination *e);
void find_wires_swapped(struct examination *e);
void find_cable_bad(struct examination *e);
void find_over_current(struct examination *e);
void find_power_short(struct examination *e);
void find_controller_full(struct examination *e);

void find_rule_not_applied(struct examination *e);
void find_node_rights(struct examination *e);
void find_in_application(struct examination *e);
void find_application_with_dfu(struct examination *e);
void find_serial_jtag(struct examination *e);
void find_unreadable(struct examination *e);
void find_modem_manager(struct examination *e);
void find_autosuspend(struct examination *e);
void find_no_board(struct examination *e);
void find_port_empty(struct examination *e);

void find_daemon_absent(struct examination *e);
void find_daemon_refuses(struct examination *e);
void find_daemon_silent(struct examination *e);
void find_config_refused(struct examination *e);
void find_ledger_trouble(struct examination *e);
void find_consumer_lags(struct examination *e);
void find_station_held(struct examination *e);
void find_slot_held(struct examination *e);
void find_no_policies(struct examination *e);
void find_no_policy(struct examination *e);
void find_image_other_chip(struct examination *e);
void find_image_unusable(struct examination *e);
void find_interface_busy(struct examination *e);
void find_slot_stuck(struct examination *e);
void find_slot_failed(struct examination *e);
