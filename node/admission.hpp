// SPDX-License-Identifier: Apache-2.0
// Pure: who may branch now, and who waits. So many branches per host at once,
// one per source, one per tag; the others wait in the order in which they
// came.
#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <vector>

#include "actors/branch_protocol.hpp"

namespace forkfleet {

/// Whether a branch has its slot, or waits for it.
enum class admitted : uint8_t { running, queued };

/// The slots of one host, and the queue before them.
class admission {
public:
  /// At most `queue_max` branches wait.
  admission(std::size_t slots, std::size_t queue_max)
    : slots_{slots}, queue_max_{queue_max} {}

  /// Takes a slot for `request`, or a place in the queue when there is none,
  /// its source is being branched, or another branch of it waits. Errors:
  /// node_busy (the queue is full), snapshot_exists (the tag is in the
  /// making).
  expected<admitted> admit(const branch_request& request);

  /// Gives the slot or the place of `operation` back; correct when it has
  /// none.
  void release(const operation_id& operation);

  /// Gives slots to those whose turn it is, and names them, first come first.
  /// Branches of one source run in the order in which they came; those of
  /// others pass them.
  std::vector<operation_id> take_turns();

  bool is_queued(const operation_id& operation) const;
  std::size_t slots() const { return slots_; }
  std::size_t taken() const { return holders_.size(); }
  std::size_t queued() const { return queue_.size(); }

private:
  struct place {
    operation_id operation;
    sandbox_id source;
    snapshot_tag tag;
  };

  status check_tag(const snapshot_tag& tag) const;
  bool is_branched(const sandbox_id& source) const;
  bool waits(const sandbox_id& source) const;

  std::size_t slots_;
  std::size_t queue_max_;
  std::map<operation_id, place> holders_; // at most slots_, one per source
  std::list<place> queue_;                // at most queue_max_, in order
};

} // namespace forkfleet
