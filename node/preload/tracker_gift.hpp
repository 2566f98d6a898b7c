// SPDX-License-Identifier: Apache-2.0
// The userfaultfd with which a process lets another one track its memory:
// made inside QEMU, handed over, and not kept. Without the C++ library.
#pragma once

namespace forkfleet::preload {

/// Makes a userfaultfd of this process that tracks without faults to serve,
/// and sends it over `socket` beside a message, or else a message that says
/// why there is none. Nothing stays open but `socket`.
void give_tracker(int socket);

} // namespace forkfleet::preload
