// SPDX-License-Identifier: Apache-2.0
// What a NODE that ends does with VMs that it could not end before.
#pragma once

#include <functional>

#include "node/node.hpp"

namespace forkfleet::node_work {

/// Tries once more to end each VM that has no name, and calls `then` when all
/// have been tried.
void end_doomed(node_pointer self, std::function<void()> then);

} // namespace forkfleet::node_work
