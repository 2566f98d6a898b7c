// SPDX-License-Identifier: Apache-2.0
// Pure: who may branch now. So many branches per host at once, one per
// source, one per tag.
#pragma once

#include <cstddef>
#include <map>

#include "actors/branch_protocol.hpp"

namespace forkfleet {

/// The slots of one host.
class admission {
public:
  explicit admission(std::size_t slots) : slots_{slots} {}

  /// Takes a slot for `request`, or says why not: node_busy,
  /// branch_in_progress (the source is being branched) or snapshot_exists
  /// (the tag is in the making).
  status admit(const branch_request& request);

  /// Gives the slot of `operation` back; correct when it has none.
  void release(const operation_id& operation);

  std::size_t slots() const { return slots_; }
  std::size_t taken() const { return holders_.size(); }

private:
  struct holder {
    sandbox_id source;
    snapshot_tag tag;
  };

  std::size_t slots_;
  std::map<operation_id, holder> holders_; // at most slots_
};

} // namespace forkfleet
