// SPDX-License-Identifier: Apache-2.0
// QEMU's migration over QMP, as far as captures and children need it.
#pragma once

#include <string>
#include <string_view>

#include "actors/unique_fd.hpp"
#include "node/qemu/qmp_client.hpp"

namespace forkfleet::qemu {

/// Both ends of a pipe.
struct pipe_ends {
  unique_fd reader = {};
  unique_fd writer = {};
};

/// A pipe of 1 MiB where the host allows it.
expected<pipe_ends> make_pipe();

/// The name under which QEMU is given the pipe.
inline constexpr const char* migration_fd_name = "forkfleet";

/// Waits until no migration is under way: one that an earlier branch gave up
/// still drains.
status wait_until_idle(qmp_client& qmp, deadline_point until);

/// Sets what every migration of ours needs: events, no bandwidth limit, and
/// whether it is a background snapshot. vmm_refused says why not.
status set_up_migration(qmp_client& qmp, bool background, deadline_point until);

/// Whether this VM can take a background snapshot; the error is why not.
status try_background_snapshot(qmp_client& qmp, deadline_point until);

/// Gives QEMU a descriptor under `migration_fd_name`.
status give_fd(qmp_client& qmp, int fd, deadline_point until);

/// Takes it back when no migration used it. Best effort.
void take_back_fd(qmp_client& qmp) noexcept;

/// Starts to migrate into that descriptor.
status start_migration(qmp_client& qmp, deadline_point until);

/// Waits for the event `name`, or for the migration's failure: vmm_refused
/// with QEMU's reason.
expected<qmp_event> wait_in_migration(qmp_client& qmp, std::string_view name,
                                      deadline_point until);

/// Waits until the migration has completed.
status wait_until_completed(qmp_client& qmp, deadline_point until);

} // namespace forkfleet::qemu
