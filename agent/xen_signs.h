/*
 * Signs that a Xen domain is being migrated or saved by somebody, read without
 * touching the domain: its name, and the processes of the toolstacks
 * (xen_processes.h).
 *
 * A CLEAN of ours during a migration would steal dirty bits and corrupt the
 * guest at its destination; so whoever samples looks here first, each time.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum xen_signs {
    XEN_SIGNS_NONE,
    XEN_SIGNS_OTHER, /* some save or migration runs on this host, of another domain as far as one can see */
    XEN_SIGNS_THIS,  /* this domain's */
};

/* True for a name that a toolstack gives to one of the two ends of a migration and nobody to a VM. A "-v2" is none:
 * people call VMs so. Where it is an end's, its VM's uuid is here twice: see xen_domains_has_twin. */
bool xen_signs_in_name(const char *name);

/* A name of a domain that is being received. */
bool xen_signs_is_incoming(const char *name);

/* Looks at the command lines of `proc_dir` ("/proc"). What cannot be read counts as no sign. */
enum xen_signs xen_signs_in_processes(const char *proc_dir, uint32_t domid, const char *name);
