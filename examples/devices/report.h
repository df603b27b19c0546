/* SPDX-License-Identifier: MIT */
/*
 * devices/report.h - what the user sees
 */
#ifndef DEVICES_REPORT_H
#define DEVICES_REPORT_H

#include "rounds.h"

/* Progress, on stderr: a line that is rewritten, or a line for each round. */
void report_slice(const struct run *run, unsigned round, unsigned scheme);
void report_round(const struct run *run, unsigned round);

/* The result, on stdout. Return: false when something was wrong. */
bool report_result(const struct run *run);

#endif /* DEVICES_REPORT_H */
