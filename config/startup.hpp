// SPDX-License-Identifier: Apache-2.0
// How a program reads its fleet file at its start: checked, or every problem
// on stderr. Knows no CAF.
#pragma once

#include <optional>
#include <string>

#include "config/fleet_file.hpp"

namespace forkfleet::config {

/// The exit code of a program whose fleet file is wrong.
inline constexpr int wrong_file_exit_code = 3;

/// The fleet of the file `path`, or nothing after its problems were printed
/// on stderr.
std::optional<fleet_file> load_or_print(const std::string& path);

} // namespace forkfleet::config
