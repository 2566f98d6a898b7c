// SPDX-License-Identifier: Apache-2.0
// Of too many lines of one event `log::write` writes only some, so that no
// peer can roll the log away. The field "identity", or else "peer", "host" or
// "actor", tells who causes a line: each of them has lines of its own.
#pragma once

namespace forkfleet::log {

/// Writes how many lines of each event were suppressed since the last call.
/// To be called every few seconds by who runs for long.
void tell_suppressed();

} // namespace forkfleet::log
