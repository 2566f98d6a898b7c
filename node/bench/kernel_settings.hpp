// SPDX-License-Identifier: Apache-2.0
// Settings of the running kernel that a benchmark changes and puts back: as
// soon as it ends, or at the next start when it was killed. Knows no CAF.
#pragma once

#include <string>
#include <vector>

#include "actors/directory_lock.hpp"
#include "actors/error.hpp"
#include "actors/schema/fields.hpp"

namespace forkfleet::bench {

/// One file of /proc or /sys, and what is to be written there to undo.
struct kernel_change {
  std::string path = {};
  std::string before = {};

  friend bool operator==(const kernel_change&, const kernel_change&) = default;
  static constexpr schema::about about{"kernel_change",
                                       "A setting of the kernel to put back."};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("path", &kernel_change::path, "The file.",
                    schema::need::required),
      schema::field("before", &kernel_change::before, "What to write there.",
                    schema::need::required),
    };
  }
};

/// All changes of one run, the newest last.
struct kernel_changes {
  std::vector<kernel_change> changes = {};

  friend bool operator==(const kernel_changes&,
                         const kernel_changes&) = default;
  static constexpr schema::about about{"kernel_changes",
                                       "Settings of the kernel to put back."};
  static constexpr auto fields() {
    return std::tuple{schema::field("changes", &kernel_changes::changes,
                                    "The newest last.",
                                    schema::need::required)};
  }
};

/// Changes settings and puts them back when it is destroyed. What is to be
/// put back stands in a file before anything is changed.
class kernel_settings {
public:
  /// Puts back what a killed run left in `directory`, which is made if need
  /// be, and takes its lock: not_permitted when another run goes on. `found`
  /// is the number of settings put back.
  static expected<kernel_settings> open(const std::string& directory,
                                        std::size_t* found = nullptr);
  kernel_settings(kernel_settings&&) noexcept = default;
  kernel_settings& operator=(kernel_settings&&) = delete;
  ~kernel_settings() { put_back(); }

  /// Writes `text` to the file `path`; `undo` is written to undo that, by
  /// default what stands there now.
  status change(const std::string& path, const std::string& text);
  status change(const std::string& path, const std::string& text,
                kernel_change undo);

  /// Undoes all, the newest first. What cannot be undone is told.
  std::vector<std::string> put_back();

private:
  kernel_settings(std::string directory, directory_lock lock)
    : directory_(std::move(directory)), lock_(std::move(lock)) {}

  std::string record() const { return directory_ + "/changes.json"; }
  status load();
  status keep() const;

  std::string directory_;
  directory_lock lock_;
  kernel_changes known_ = {};
};

/// The text of a file of /proc or /sys, without white space at its end, and
/// of several values the chosen one ("none [mq-deadline]").
expected<std::string> read_setting(const std::string& path);

} // namespace forkfleet::bench
