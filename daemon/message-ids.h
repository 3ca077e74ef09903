/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What happened, for whoever searches the journal: MESSAGE_ID= of the messages that are an interface. */
#pragma once

#define MESSAGE_JOB_BEGAN       "4b689387e6df4a0c9a6c481802cb76a3"
#define MESSAGE_BOARD_FLASHED   "e854d07683bb45dfbaada2e4aa5dd58b"
#define MESSAGE_ATTEMPT_FAILED  "ee36370e53b44e788f95343d27565c17"
#define MESSAGE_BOARD_FAILED    "2ebb0bf1b36841aeba1d5d980d69b685"
#define MESSAGE_JOB_CANCELLED   "8c4c5c3fbb7749c1b07e59cd9d2a386b"
#define MESSAGE_NO_POLICY       "95afccb673a4413d8151bcfd43b90b3f"
#define MESSAGE_POLICY_UNUSABLE "27b18cba3906488ea3ceead34f98cfdc"
#define MESSAGE_ENGINE_STUCK    "7fbbf0884c704dd985a782bdf87c298c"
#define MESSAGE_LEDGER_TROUBLE  "b1853aa6f2464b71b97ef1a8cde9fba9"
#define MESSAGE_HELD            "9f811b57aa854ab69e4ebb6192a6f0bf"
#define MESSAGE_RELEASED        "b094626af4fb4dcd87d451bd82e7eb75"
#define MESSAGE_ROWS_REMOVED    "5ed8a3f2c04b4a6b9d0e61a1f7c2358b"
#define MESSAGE_ROWS_KEPT       "c1b7094de6aa4c0f8a5d3b9214e7f06c"
#define MESSAGE_CONFIG_REFUSED  "b820c28e1a5f4e9391d15ab84a2684ef"
#define MESSAGE_ENGINE_SHORTAGE "3d0f5e0c8a7b4c1e9b62d4a7f1c8e935"
