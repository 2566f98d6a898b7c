// SPDX-License-Identifier: Apache-2.0
// Children whose guests say nothing of themselves: one that ends in its first
// second did not come to be.
#pragma once

#include <vector>

#include "actors/client.hpp"
#include "actors/sandbox_protocol.hpp"

namespace forkfleet::shell {

/// How long a child without an agent must run to count.
inline constexpr milliseconds child_watch{1000};

/// Whether all that is known of a child is that its VM was started.
bool is_unproved(const expected<restore_report>& x);

/// The result with what was seen of the child later; null: it is not there.
/// vmm_gone has the sandbox' note.
expected<restore_report> judged(expected<restore_report> x,
                                const sandbox_info* seen);

/// Waits for `child_watch` where there are children that are unproved, looks
/// at them once, and judges them. Where nobody can tell they stay as they
/// are.
void watch_children(client& fleet,
                    std::vector<expected<restore_report>>& results,
                    milliseconds timeout);

} // namespace forkfleet::shell
