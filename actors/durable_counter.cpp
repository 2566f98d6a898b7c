// SPDX-License-Identifier: Apache-2.0
#include "actors/durable_counter.hpp"

#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <limits>
#include <sys/stat.h>

#include "actors/disk_calls.hpp"
#include "actors/durable_file.hpp"
#include "actors/unique_fd.hpp"

namespace forkfleet {

namespace {

/// Needs no space. A number only gets longer, and a disk takes the few bytes,
/// which lie in one sector, whole or not at all.
bool overwrite(const std::string& path, const std::string& text) {
  const unique_fd file{
    disk::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0)};
  return file
         && disk::write_at(file.get(), text.data(), text.size(), 0)
              == static_cast<ssize_t>(text.size())
         && disk::sync_data(file.get()) == 0;
}

} // namespace

expected<uint64_t> durable_counter::value() const {
  struct stat info {};
  if (::lstat(path_.c_str(), &info) != 0 && errno == ENOENT)
    return uint64_t{0};
  auto text = read_small_file(path_);
  if (!text)
    return tl::unexpected<failure>(text.error());
  if (!text->empty() && text->back() == '\n')
    text->pop_back();
  uint64_t number = 0;
  const auto* const end = text->data() + text->size();
  const auto [stop, error] = std::from_chars(text->data(), end, number);
  if (error != std::errc{} || stop != end)
    return fail(ec::io_failed,
                path_
                  + " holds no number; write one that is greater than any "
                    "that was used before, or remove the data directory");
  return number;
}

expected<uint64_t> durable_counter::next() {
  auto last = value();
  if (!last)
    return last;
  if (*last == std::numeric_limits<uint64_t>::max())
    return fail(ec::io_failed, path_ + " is at its greatest number");
  const auto number = *last + 1;
  if (auto kept = keep(number); !kept)
    return tl::unexpected<failure>(kept.error());
  return number;
}

status durable_counter::raise_to(uint64_t least) {
  auto last = value();
  if (!last)
    return tl::unexpected<failure>(last.error());
  if (*last >= least)
    return {};
  return keep(least);
}

status durable_counter::keep(uint64_t number) const {
  const auto text = std::to_string(number) + "\n";
  auto kept = write_durably(path_, text);
  if (kept || kept.error().code != ec::disk_full)
    return kept;
  return overwrite(path_, text) ? status{} : kept;
}

} // namespace forkfleet
