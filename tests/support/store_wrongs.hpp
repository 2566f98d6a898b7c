// SPDX-License-Identifier: Apache-2.0
// What must hold of a node's disk after any end of a life of it, held
// against what the life had told by then.
#pragma once

#include <string>
#include <vector>

namespace forkfleet::test {

/// Opens what a store_life has left behind in `path` after it had told
/// `told`, and lists all that is not as it must be: promised snapshots that
/// are not there or not whole, visible ones that nobody was promised, files
/// that nobody owns, a next branch that does not come out right. Changes the
/// directory.
std::vector<std::string> wrongs_after(const std::string& path,
                                      const std::vector<std::string>& told);

} // namespace forkfleet::test
