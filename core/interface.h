/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The texts of the interfaces that the daemon speaks, to the byte as they stand in docs/. */
#pragma once

extern const char station_interface_text[]; /* docs/io.espdfu.Station1.varlink */
extern const char service_interface_text[]; /* docs/org.varlink.service.varlink */
