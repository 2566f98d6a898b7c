// SPDX-License-Identifier: Apache-2.0
#include "node/firecracker/capture_space.hpp"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <fmt/format.h>

#include "actors/durable_file.hpp"
#include "node/firecracker/memory_file.hpp"
#include "node/qemu/host_facts.hpp"
#include "node/storage/reservation.hpp"

namespace forkfleet::firecracker {

namespace {

constexpr const char* changed_name = "changed";
constexpr const char* all_name = "all";
constexpr const char* vmstate_name = "vmstate";
constexpr const char* mark_name = "tracked-since";

// What must stay free beside a snapshot.
constexpr uint64_t spare_bytes = 64ull << 20;

// Says whose it is: the VM's directory, as text.
constexpr const char* owner_name = "vm";

// The same name for the same VM in all lives of the node.
std::string name_for(const std::string& vm_directory) {
  uint64_t hash = 0xcbf29ce484222325ull;
  for (const char c : vm_directory)
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  return fmt::format("{}{:016x}", fast_prefix, hash);
}

bool is_tmpfs(const std::string& path) {
  struct statfs known = {};
  return ::statfs(path.c_str(), &known) == 0 && known.f_type == TMPFS_MAGIC;
}

uint64_t free_bytes(const std::string& path) {
  struct statfs known = {};
  if (::statfs(path.c_str(), &known) != 0)
    return 0;
  return static_cast<uint64_t>(known.f_bavail)
         * static_cast<uint64_t>(known.f_bsize);
}

// A directory of our own that nobody else can reach into.
status make_private(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0)
    return {};
  if (errno != EEXIST)
    return tl::unexpected(errno_failure(errno, path));
  struct stat known = {};
  if (::lstat(path.c_str(), &known) != 0)
    return tl::unexpected(errno_failure(errno, path));
  const bool is_ours = S_ISDIR(known.st_mode) && known.st_uid == ::geteuid()
                       && (known.st_mode & 077) == 0;
  if (!is_ours)
    return fail(ec::not_permitted,
                path + ": belongs to somebody else; remove it");
  return {};
}

uint64_t stored_bytes(const std::string& path) {
  struct stat known = {};
  if (::stat(path.c_str(), &known) != 0)
    return 0;
  return static_cast<uint64_t>(known.st_blocks) * 512;
}

} // namespace

std::string capture_space::file_system() const {
  return file_system_of(directory_.empty() ? settings_.vm_directory
                                           : directory_);
}

capture_space::capture_space(space_settings settings)
  : settings_{std::move(settings)}, fast_path_{
                                      settings_.fast_directory + "/"
                                      + name_for(settings_.vm_directory)} {}

// tmpfs with room for all of the memory, else the VM's own directory.
status capture_space::choose_directory() {
  const auto& fast = settings_.fast_directory;
  const auto kept = stored_bytes(fast_path_ + "/" + changed_name);
  const auto wanted = settings_.memory_bytes + spare_bytes
                      - std::min(kept, settings_.memory_bytes);
  const auto available = qemu::available_memory_bytes();
  is_fast_ = is_tmpfs(fast) && free_bytes(fast) >= wanted
             && (available == 0 || available >= wanted);
  directory_ = is_fast_ ? fast_path_ : settings_.vm_directory + "/capture";
  auto made = make_private(directory_);
  if (made && is_fast_)
    made = note_owner();
  return made;
}

// Without it nobody could tell, once the VM's directory is gone, whose memory
// this is.
status capture_space::note_owner() const {
  const auto path = path_of(owner_name);
  const auto& text = settings_.vm_directory;
  const auto fd = unique_fd{
    ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!fd
      || ::write(fd.get(), text.data(), text.size())
           != static_cast<ssize_t>(text.size()))
    return tl::unexpected(errno_failure(errno, path));
  return {};
}

std::string owner_of_capture(const std::string& directory) {
  return read_small_file(directory + "/" + owner_name).value_or("");
}

expected<snapshot_paths> capture_space::prepare(snapshot_kind kind,
                                                bool keeps) {
  // What was collected is where it is.
  const bool stays = keeps && !directory_.empty();
  if (!stays)
    if (auto chosen = choose_directory(); !chosen)
      return tl::unexpected(chosen.error());
  const auto paths = snapshot_paths{
    path_of(vmstate_name),
    path_of(kind == snapshot_kind::diff ? changed_name : all_name)};
  if (auto made = make_file(paths.memory, stays, kind == snapshot_kind::diff);
      !made)
    return tl::unexpected(made.error());
  return paths;
}

status capture_space::make_file(const std::string& path, bool keeps,
                                bool is_diff) {
  if (!keeps)
    ::unlink(path.c_str());
  const auto fd = unique_fd{
    ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!fd
      || ::ftruncate(fd.get(), static_cast<off_t>(settings_.memory_bytes)) != 0)
    return tl::unexpected(errno_failure(errno, path));
  // The pages of a diff are told by the file's extents: reserved space must
  // not pass for written.
  if (is_diff && !tells_written_extents(fd.get()))
    return {};
  if (::fallocate(fd.get(), 0, 0, static_cast<off_t>(settings_.memory_bytes))
        != 0
      && errno != EOPNOTSUPP) {
    const int error = errno;
    ::unlink(path.c_str());
    return tl::unexpected(errno_failure(
      error, fmt::format("{}: room for {} bytes, {} are free", path,
                         settings_.memory_bytes, free_bytes(directory_))));
  }
  return {};
}

expected<unique_fd> capture_space::open(const std::string& path) const {
  auto fd = unique_fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
  if (!fd)
    return tl::unexpected(errno_failure(errno, path));
  return fd;
}

void capture_space::forget_changes() noexcept {
  if (!directory_.empty())
    ::unlink(path_of(changed_name).c_str());
}

void capture_space::forget_all_pages() noexcept {
  if (!directory_.empty())
    ::unlink(path_of(all_name).c_str());
}

std::string capture_space::take_up() {
  const auto text = read_small_file(fast_path_ + "/" + mark_name);
  if (!text || text->empty() || !make_private(fast_path_))
    return {};
  directory_ = fast_path_;
  is_fast_ = true;
  return *text;
}

void capture_space::keep_mark(const std::string& root_hash) noexcept {
  // It need not outlive the power: no VM does.
  const auto path = fast_path_ + "/" + mark_name;
  if (!is_fast_)
    return;
  const auto next = path + std::string{unfinished_suffix};
  {
    const auto fd = unique_fd{
      ::open(next.c_str(),
             O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (!fd
        || ::write(fd.get(), root_hash.data(), root_hash.size())
             != static_cast<ssize_t>(root_hash.size()))
      return;
  }
  ::rename(next.c_str(), path.c_str());
}

void capture_space::drop_mark() noexcept {
  ::unlink((fast_path_ + "/" + mark_name).c_str());
}

void capture_space::remove() noexcept {
  for (const auto& folder : {fast_path_, settings_.vm_directory + "/capture"}) {
    for (const auto* name :
         {changed_name, all_name, vmstate_name, mark_name, owner_name})
      ::unlink((folder + "/" + name).c_str());
    ::rmdir(folder.c_str());
  }
}

} // namespace forkfleet::firecracker
