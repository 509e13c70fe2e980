/*
 * Files of this folder as texts of the program: made by CMake, which puts their bytes into page_text.c. They are ASCII.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

extern const char page_text_page[];    /* page.html */
extern const char page_text_style[];   /* page.css */
extern const char page_text_script[];  /* page_*.js, one after the other */
extern const char page_text_echarts[]; /* echarts/echarts.min.js */
