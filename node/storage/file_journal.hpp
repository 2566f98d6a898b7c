// SPDX-License-Identifier: Apache-2.0
// The operation journal on the disk: operations/<operation>.json, written
// durably, and operations/<operation>.pause, one byte that tells whether the
// guest stands still. Knows no CAF.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "actors/unique_fd.hpp"
#include "node/operation_journal.hpp"
#include "node/storage/data_directory.hpp"

namespace forkfleet {

/// An operation_journal in a data directory.
///
/// `mark_pause` is one pwrite of one byte to an open file that has its block
/// already, and never a sync: it must outlive the node's process, for which
/// the page cache is enough. When the power fails the VM is gone, too.
///
/// An entry of `load` that has not ended has `stage::pause` in its report
/// when the guest was about to stand still, and `stage::resume` after it
/// when it was seen running again.
class file_journal final : public operation_journal {
public:
  /// The most operations that have not ended, and the most unreadable files
  /// that are kept for a person to look at.
  static constexpr std::size_t open_max = 1024;
  static constexpr std::size_t damaged_max = 64;

  /// Reads what is there. Files that are no entries are moved to
  /// operations/damaged, those that could not be read stay where they are; the
  /// first `load` tells of both.
  static expected<std::shared_ptr<file_journal>>
  open_in(data_directory_ptr data);

  /// branch_in_progress when the operation is open already,
  /// invalid_request when it has ended, node_busy at `open_max`.
  status open(const branch_request& request) override;
  /// unknown_operation unless it is open.
  status mark_pause(const operation_id& operation, bool paused) override;
  /// unknown_operation unless `open` has seen it, in this life or before.
  /// To close again replaces the outcome.
  status close(const branch_report& report) override;
  std::vector<journal_entry> load(std::vector<std::string>& problems) override;

private:
  struct known {
    uint64_t sequence = 0;
    journal_entry entry = {};
    unique_fd pause = {}; // open as long as the operation is
  };

  explicit file_journal(data_directory_ptr data) : data_(std::move(data)) {}

  status scan();
  status scan_one(const std::string& name, const std::string& text);
  void set_aside(const std::string& name, const std::string& why);
  void drop_strays(const std::vector<std::string>& names);
  expected<unique_fd> pause_mark(const operation_id& operation, bool fresh);
  status write(const journal_entry& entry, uint64_t sequence) const;
  expected<uint64_t> take_place(const branch_request& request);
  void forget(const operation_id& operation);
  void prune();
  std::string path_of(const operation_id& operation,
                      std::string_view suffix) const;

  const data_directory_ptr data_;
  // Never held while anything is written or synced.
  std::mutex mutex_;
  std::map<operation_id, known> known_;
  std::set<operation_id> unread_; // left as they are
  uint64_t sequence_ = 0; // of the last write; the newest has the greatest
  std::vector<std::string> problems_;
};

} // namespace forkfleet
