/*
 * Files of this folder as texts of the program: made by CMake, which puts their bytes into export_text.c.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

extern const char export_text_host_xl[];
extern const char export_text_host_xe[];
extern const char export_text_host_virsh[];
extern const char export_text_run_plan[];
