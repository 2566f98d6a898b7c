// SPDX-License-Identifier: Apache-2.0
// Files and directories by descriptors, with errors that name the path and
// errno. What changes the disk is one function for each system call. Small
// durable files are in actors/durable_file.hpp. Knows no CAF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "actors/durable_file.hpp"
#include "actors/error.hpp"
#include "actors/unique_fd.hpp"

namespace forkfleet {

/// Opens with O_CLOEXEC and O_NOFOLLOW; `flags` and `mode` as open(2).
expected<unique_fd> open_file(const std::string& path, int flags,
                              unsigned mode = 0600);

/// Reads exactly `into.size()` bytes at `offset`; io_failed when the file is
/// shorter. `path` is for the message, here and below.
status read_at(int fd, std::span<uint8_t> into, uint64_t offset,
               const std::string& path);

/// Writes all of `bytes` at `offset`.
status write_at(int fd, std::span<const uint8_t> bytes, uint64_t offset,
                const std::string& path);
status write_at(int fd, std::string_view text, uint64_t offset,
                const std::string& path);

/// Returns when the file's bytes and size are on the disk.
status sync_data(int fd, const std::string& path);

/// The same, and its owner and mode: of a file that was given to a VM, or
/// taken from one.
status sync_all(int fd, const std::string& path);

/// Gives an open file its size; what it had beyond the end is freed.
status resize_file(int fd, uint64_t bytes, const std::string& path);

/// Makes all of `source` the content of `fd`, sharing its blocks. unsupported
/// where the file system cannot, or the two lie on different ones.
status clone_file(int fd, int source, const std::string& path);

/// Asks that a write into shared blocks takes at least so many at once, so
/// that scattered writes leave fewer pieces. A hint: XFS knows it.
void set_clone_piece(int fd, uint64_t bytes);

/// fallocate(2), once: its errno, or 0. `mode` and range as there.
int allocate(int fd, int mode, uint64_t offset, uint64_t bytes);

/// Makes a range read as zeros and take no space; unsupported where the file
/// system cannot.
status punch_hole(int fd, uint64_t offset, uint64_t bytes,
                  const std::string& path);

/// Begins to bring a range to the disk, and waits until it is there. No
/// substitute for `sync_data`: what names the blocks stays in memory.
status start_writeback(int fd, uint64_t offset, uint64_t bytes,
                       const std::string& path);
status wait_writeback(int fd, uint64_t offset, uint64_t bytes,
                      const std::string& path);

/// Renames a file, over another if there is one. Durable after a
/// `sync_directory`.
status rename_file(const std::string& from, const std::string& to);

/// Renames to a name that must be free: snapshot_exists when it is not.
status rename_to_free(const std::string& from, const std::string& to);

/// Removes a file; also correct when it is not there.
status remove_file(const std::string& path);

/// The size of an open file.
expected<uint64_t> file_size(int fd, const std::string& path);

/// Bytes that a file takes on the disk; 0 when it cannot be told.
uint64_t stored_bytes(const std::string& path);

/// The same without blocks that other files share. Where the file system
/// cannot tell, none are.
uint64_t unshared_bytes(const std::string& path);

/// The names in a directory, sorted, without "." and "..". io_failed beyond
/// `names_max`.
expected<std::vector<std::string>>
list_directory(const std::string& path, std::size_t names_max = 1u << 20);

/// Removes `<parent>/<name>` with everything in it; also correct when it is
/// not there. Stays inside: symbolic links are removed, not followed, and
/// `name` must be a single path segment. Depth is limited.
status remove_tree(const std::string& parent, const std::string& name);

/// Whether anything has this name, a dangling link included. False also when
/// that cannot be found out: where something is removed, or taken for new,
/// because a name is not there, ask `look_for`.
bool path_exists(const std::string& path);

/// Whether a name is there. `unknown`: an error stood in the way, and nothing
/// follows from it.
enum class presence : uint8_t { there, absent, unknown };
presence look_for(const std::string& path);

} // namespace forkfleet
