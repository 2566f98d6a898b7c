// SPDX-License-Identifier: Apache-2.0
// Pure: the branches that this node knows, running and ended. A repeated
// operation id joins the first one or gets its outcome.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <vector>

#include "actors/branch_protocol.hpp"

namespace forkfleet {

/// What a request with some operation id means.
enum class operation_claim : uint8_t {
  fresh,    // never seen: it is now running
  joined,   // running: wait for its outcome
  ended,    // done before: the status has the report
  conflict, // the id was used for something else
};

/// Remembers at most `ended_max` ended operations, the latest.
class operation_table {
public:
  explicit operation_table(std::size_t ended_max) : ended_max_{ended_max} {}

  /// Takes `request` in, or finds its operation. While it runs, its report
  /// has the stage admit.
  operation_claim claim(const branch_request& request);

  /// Forgets a running operation that never started.
  void withdraw(const operation_id& operation);

  /// Closes a running operation.
  void finish(const branch_report& report);

  /// Takes in one that ended in an earlier life of this node.
  void learn(const branch_request& request, const branch_report& report);

  /// What is known of `operation`.
  operation_status status_of(const operation_id& operation) const;

  /// All that are known; running ones last.
  std::vector<operation_status> list() const;

private:
  struct entry {
    branch_request request;
    bool ended = false;
    branch_report report;
  };

  void note_ended(const operation_id& operation);

  std::size_t ended_max_;
  std::map<operation_id, entry> entries_;
  std::deque<operation_id> ended_; // oldest first; each is in entries_
};

/// Whether two requests with one id ask for the same thing. The deadline and
/// the epoch of a retry may differ.
bool asks_the_same(const branch_request& a, const branch_request& b);

} // namespace forkfleet
