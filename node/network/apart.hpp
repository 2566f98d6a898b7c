// SPDX-License-Identifier: Apache-2.0
// Work that may end its process: a library that calls exit, or that the kernel
// kills, takes a child along and not the node. Knows no CAF.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "actors/error.hpp"

namespace forkfleet {

/// The longest answer of such work.
inline constexpr std::size_t apart_answer_max = 1u << 20;

/// Does `work` in a child process, in the network namespace of the calling
/// thread, and gives its answer; a change that it makes to this process is
/// lost. io_failed when the child ended without an answer, with the last of
/// what it printed; deadline_exceeded when it was killed at the limit.
expected<std::string>
run_apart(const std::function<expected<std::string>()>& work,
          std::chrono::milliseconds limit);

} // namespace forkfleet
