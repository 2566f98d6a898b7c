// SPDX-License-Identifier: Apache-2.0
// What must hold in a fleet file beyond the types of its values: ranges, and
// how values stand to each other. Knows no CAF and no YAML.
#pragma once

#include <string>
#include <string_view>

#include "config/fleet_file.hpp"
#include "config/problem_list.hpp"

namespace forkfleet::config {

/// Reports against one file, where each value stands. A value that already
/// has a problem is left alone: its value is a default.
class checker {
public:
  checker(const fleet_file& checked, const place_map& places,
          problem_list& problems)
    : fleet{checked}, places_{places}, problems_{problems} {}

  const fleet_file& fleet;

  /// Reports `path` where it stands; where it stands nowhere, at `near`.
  void report(const std::string& path, std::string message,
              std::string hint = {}, std::string_view near = {});

  /// Whether the file gives `path`.
  bool is_given(std::string_view path) const;

  /// Whether something is already wrong with `path`.
  bool has_problem(std::string_view path) const { return problems_.has(path); }

  /// Reports a time or a number that is not between its limits.
  void range(const std::string& path, milliseconds value, milliseconds least,
             milliseconds most);
  void range(const std::string& path, uint64_t value, uint64_t least,
             uint64_t most);

private:
  const place_map& places_;
  problem_list& problems_;
};

/// Checks all of a fleet whose paths have been resolved.
void check(const fleet_file& fleet, const place_map& places,
           problem_list& problems);

/// The parts of `check`: addresses and certificates, what sandboxes may reach
/// and by which addresses, sandboxes, limits.
void check_network(checker& run);
void check_reach(checker& run);
void check_sandboxes(checker& run);
void check_limits(checker& run);
void check_access(checker& run);

/// Of the sandbox at this path.
void check_arguments(checker& run, const sandbox_section& x,
                     const std::string& sandbox);

} // namespace forkfleet::config
