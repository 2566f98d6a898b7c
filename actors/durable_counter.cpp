// SPDX-License-Identifier: Apache-2.0
#include "actors/durable_counter.hpp"

#include <cerrno>
#include <charconv>
#include <limits>
#include <sys/stat.h>

#include "actors/durable_file.hpp"

namespace forkfleet {

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
  if (auto written = write_durably(path_, std::to_string(number) + "\n");
      !written)
    return tl::unexpected<failure>(written.error());
  return number;
}

status durable_counter::raise_to(uint64_t least) {
  auto last = value();
  if (!last)
    return tl::unexpected<failure>(last.error());
  if (*last >= least)
    return {};
  return write_durably(path_, std::to_string(least) + "\n");
}

} // namespace forkfleet
