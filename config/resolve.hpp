// SPDX-License-Identifier: Apache-2.0
// Fills in what a fleet file may leave out: directories by their defaults,
// and relative paths. Knows no CAF.
#pragma once

#include <functional>
#include <string>

#include "config/fleet_file.hpp"
#include "config/load.hpp"
#include "config/problem_list.hpp"

namespace forkfleet::config {

/// Calls `visit` with each path of the fleet that is a file or directory on
/// some machine, and with where it stands in the file. Empty ones too.
void for_each_path(fleet_file& fleet,
                   const std::function<void(const std::string& where,
                                            std::string& path)>& visit);

/// Makes all paths absolute and gives `state` and the data directories their
/// defaults. Relative paths start at `directory`.
void resolve(fleet_file& fleet, const std::string& directory,
             const environment& env, const place_map& places,
             problem_list& problems);

} // namespace forkfleet::config
