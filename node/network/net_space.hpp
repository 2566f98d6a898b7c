// SPDX-License-Identifier: Apache-2.0
// Network namespaces with a name, kept as iproute2 keeps them: a file in
// /run/netns that the namespace is mounted on, so that `ip netns exec` finds
// them. Knows no CAF.
#pragma once

#include <functional>
#include <string>

#include "actors/error.hpp"

namespace forkfleet {

inline constexpr const char* spaces_directory = "/run/netns";

/// Where the namespace of that name is.
std::string space_path(const std::string& name);

/// Whether it is there.
bool has_space(const std::string& name);

/// Makes one, with nothing in it; one that is there is kept. A file of that
/// name that is no namespace is replaced.
status make_space(const std::string& name);

/// Takes its name away; it ends with the last process in it. Also correct
/// when there is none.
status remove_space(const std::string& name);

/// Moves the calling thread into the namespace at `path`, for good.
status enter_space(const std::string& path);

/// Runs `work` in it, on a thread of its own, and waits for its end.
status run_in_space(const std::string& name,
                    const std::function<status()>& work);

/// The same in a fresh namespace that ends afterwards.
status run_in_fresh_space(const std::function<status()>& work);

} // namespace forkfleet
