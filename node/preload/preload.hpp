// SPDX-License-Identifier: Apache-2.0
// libforkfleet-preload.so, which the keeper has the loader put into QEMU: it
// hands the keeper a userfaultfd, and maps a child's overlay over the base
// image. What it is to do stands in the environment; without that, it does
// nothing.
#pragma once

namespace forkfleet::preload {

/// The number of an inherited socket to which the userfaultfd goes.
inline constexpr const char* tracker_variable = "FORKFLEET_TRACKER_SOCKET";

/// The file with the overlay (see overlay.hpp). When it is set, a private
/// mapping of the whole base gets the runs over it, and any other mapping of
/// the base fails, as do all when the file is not right.
inline constexpr const char* overlay_variable = "FORKFLEET_OVERLAY";

/// The library's file, beside the programs.
inline constexpr const char* library_file = "libforkfleet-preload.so";

} // namespace forkfleet::preload
