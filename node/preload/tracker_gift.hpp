// SPDX-License-Identifier: Apache-2.0
// The userfaultfd with which a process lets another one track its memory:
// made inside QEMU, handed over, and not kept. Without the C++ library.
#pragma once

namespace forkfleet::preload {

/// A userfaultfd of this process; -1 and errno when there is none. Of all
/// ways the best is taken: a process without rights may have only one that
/// does not serve faults of the kernel, and here nobody serves any.
int open_userfaultfd();

/// Asks for asynchronous write protection; false and errno when the kernel
/// has none.
bool set_up_tracking(int fd);

/// Makes a userfaultfd of this process that tracks without faults to serve,
/// and sends it over `socket` beside a message, or else a message that says
/// why there is none. Nothing stays open but `socket`.
void give_tracker(int socket);

} // namespace forkfleet::preload
