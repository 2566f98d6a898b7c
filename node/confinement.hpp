// SPDX-License-Identifier: Apache-2.0
// What this program, a keeper and a VM's process may do on the host, by
// capabilities(7): each has the few that it needs, and gives up the rest for
// good. Knows no CAF.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>

#include "actors/error.hpp"

namespace forkfleet {

/// Capabilities, a bit for each by its number in linux/capability.h.
using capability_set = uint64_t;

/// What a node uses: to own files and give them away, to make network
/// namespaces, links and rules, to read a VM's memory and end it, and to
/// start a keeper that starts a VM.
capability_set node_capabilities();

/// What a keeper uses once its VM runs: to end a VM that is another user's.
capability_set keeper_capabilities();

/// What a VM's process has until its guest runs: to open files that are
/// another user's, to make a userfaultfd, and, where it takes a user of its
/// own, to do so. The change of user ends them all. One that keeps the node's
/// user keeps them, and less where `has_preload` makes its userfaultfd.
capability_set vm_process_capabilities(bool takes_user, bool has_preload);

/// Whether this process has all of `wanted`.
bool has_capabilities(capability_set wanted);

/// Of the calling thread and of what comes out of it: nothing beyond `keep`
/// can be had, also by a program of root's or one that is set-user-ID. Before
/// other threads are made. Without the right to give up a bounding set, only
/// no_new_privs holds.
status keep_only(capability_set keep);

/// For a child between fork and exec, where only such calls may be made: the
/// program that it becomes has `keep` if it has any, leaves no core file, and
/// no program gives it more. 0, or errno.
int confine_program(capability_set keep) noexcept;

} // namespace forkfleet
