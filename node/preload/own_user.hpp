// SPDX-License-Identifier: Apache-2.0
// What a VM that takes a user of its own would lose: its leash, and the right
// to protect its own memory. Knows neither CAF nor the C++ library.
#pragma once

namespace forkfleet::preload {

/// Before the program's own code runs: remembers whether it dies with its
/// parent, and opens what it cannot open as another user.
void remember_rights();

/// After a mapping that is private: `fd` is read from, and no more.
void make_read_only(int fd);

} // namespace forkfleet::preload
