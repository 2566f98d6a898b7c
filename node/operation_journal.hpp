// SPDX-License-Identifier: Apache-2.0
// What a node remembers of its branches over its own death: the intent,
// written before anything is made, and the outcome, written before it is
// told. Knows no CAF.
#pragma once

#include <memory>
#include <vector>

#include "actors/branch_protocol.hpp"

namespace forkfleet {

/// One operation as the journal has it. `ended` says whether `report` is
/// final; if not, `report.stages` tells how far it got.
struct journal_entry {
  branch_request request = {};
  bool ended = false;
  branch_report report = {};

  friend bool operator==(const journal_entry&, const journal_entry&) = default;
  static constexpr schema::about about{
    "journal_entry", "One operation as the node's journal has it."};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("request", &journal_entry::request, "What was asked."),
      schema::field("ended", &journal_entry::ended,
                    "Whether the report is final."),
      schema::field("report", &journal_entry::report, "How it went."),
    };
  }
};

/// Keeps at most `entries_max` ended operations, the newest. Thread-safe.
class operation_journal {
public:
  static constexpr std::size_t entries_max = 512;

  virtual ~operation_journal() = default;

  /// Writes the intent durably. Before anything is made.
  virtual status open(const branch_request& request) = 0;

  /// Notes that the guest is about to stand still (`true`) or runs again
  /// (`false`), so that a node that died in between resumes it.
  virtual status mark_pause(const operation_id& operation, bool paused) = 0;

  /// Writes the outcome durably. Before it is told to anybody.
  virtual status close(const branch_report& report) = 0;

  /// All entries, oldest first; what cannot be read is left out and told in
  /// `problems`.
  virtual std::vector<journal_entry>
  load(std::vector<std::string>& problems) = 0;
};

using operation_journal_ptr = std::shared_ptr<operation_journal>;

} // namespace forkfleet
