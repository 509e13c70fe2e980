/*
 * The driver of toolstacks that are commands: templates (command_config.h) run by /bin/sh. xl, xe and virsh are presets
 * of it; any other toolstack is a YAML file.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/apply/driver.h"

extern const struct driver_ops driver_command;
extern const struct driver_ops driver_xl;
extern const struct driver_ops driver_xe;
extern const struct driver_ops driver_virsh;
