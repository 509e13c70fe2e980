/*
 * One migration out of what its two hosts' agents say of it.
 *
 * In:  an observation as far as it is known, and one event. Out: the observation with what the event adds.
 * What is known already stays: of two words the first one holds. Of the hosts an agent's own word counts for
 * more than its peer's, and a peer that is no host of the fleet (an address, an alias) is not known.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "proto/fleet_observation.h"
#include "proto/msg_event.h"

/* All DC_ENOMEM. `host` is whose agent speaks. */
DC_WARN_UNUSED enum dc_status observation_merge_began(struct fleet_observation *seen, const char *host,
                                                      const struct msg_event *event, struct dc_error *err);

/* `is_first`: nobody has told of the end before; then `succeeded` is the event's. */
DC_WARN_UNUSED enum dc_status observation_merge_ended(struct fleet_observation *seen, const char *host,
                                                      const struct msg_event *event, bool is_first,
                                                      struct dc_error *err);

/* The VM turned up on `host`: where else should it have gone? */
DC_WARN_UNUSED enum dc_status observation_merge_added(struct fleet_observation *seen, const char *host,
                                                      struct dc_error *err);
