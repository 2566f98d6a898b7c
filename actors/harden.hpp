// SPDX-License-Identifier: Apache-2.0
// What a long-lived actor does with messages that nobody planned: it logs
// them and lives on. CAF's own defaults end the actor or print to stdout.
#pragma once

#include <caf/fwd.hpp>

namespace forkfleet {

/// Call it first in an actor's behavior function. After it: an unexpected
/// message is logged and answered with invalid_request; a stray error is
/// logged; an exit message ends the actor only when its reason is a shutdown
/// or a kill; an exception in a handler is logged, ends the actor, and is
/// answered with interrupted. The down handler stays the actor's own
/// business.
void harden(caf::scheduled_actor* self);

} // namespace forkfleet
