// SPDX-License-Identifier: Apache-2.0
// A COORDINATOR that answers everything at once, for tests of what is in
// front of it.
#pragma once

#include <map>
#include <vector>

#include <caf/typed_event_based_actor.hpp>

#include "actors/interfaces.hpp"
#include "actors/link/link.hpp"

namespace forkfleet::test {

struct fake_coordinator_state {
  static inline const char* name = "fake-coordinator";

  peer_check check;
  std::map<std::string, node_actor> nodes;
  std::vector<caf::typed_response_promise<branch_report>> silent;
};

/// Answers a branch with a report that repeats the request. A branch of the
/// sandbox "missing" is refused with unknown_sandbox, one of "silent" is
/// never answered, one of "big" with more than a frame may have, and one of
/// "on-<host>" is passed to that host's node. A hello is refused when `check`
/// refuses it.
coordinator_actor::behavior_type fake_coordinator(
  coordinator_actor::stateful_pointer<fake_coordinator_state> self,
  peer_check check);

} // namespace forkfleet::test
