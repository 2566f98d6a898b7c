// SPDX-License-Identifier: Apache-2.0
// Pure: the branches that this node knows, running and ended. A repeated
// operation id joins the first one or gets its outcome.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <string_view>
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

  /// The first field in which `request` differs from the one that its
  /// operation was claimed with; empty: in none, or it is not known.
  std::string_view difference(const branch_request& request) const;

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
    std::string digest = {};
  };

  void note_ended(const operation_id& operation);

  std::size_t ended_max_;
  std::map<operation_id, entry> entries_;
  std::deque<operation_id> ended_; // oldest first; each is in entries_
};

} // namespace forkfleet
