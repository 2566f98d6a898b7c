// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/overlay_file.hpp"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "node/preload/overlay.hpp"

namespace forkfleet::qemu {

namespace {

bool is_in_base(const memory_segment& x) {
  return x.file == std::size_t{0} && x.offset == x.address;
}

} // namespace

expected<std::string> overlay_text(const memory_layout& layout) {
  if (layout.files.empty() || layout.files.size() > preload::overlay_files_max)
    return fail(ec::unsupported,
                fmt::format("a chain of {} files cannot be mapped; flatten the "
                            "snapshot first",
                            layout.files.size()));
  for (const auto& path : layout.files)
    if (path.find('\n') != std::string::npos)
      return fail(ec::unsupported, path + ": a newline in a path");
  auto text = fmt::format("forkfleet overlay 1\nmemory {}\nbase {}\n",
                          layout.bytes, layout.files.front());
  auto out = std::back_inserter(text);
  for (const auto& path : layout.files)
    fmt::format_to(out, "file {}\n", path);
  std::size_t count = 0;
  for (const auto& x : layout.segments) {
    if (is_in_base(x))
      continue;
    ++count;
    if (x.file)
      fmt::format_to(out, "run {} {} {} {}\n", x.address, x.bytes, *x.file,
                     x.offset);
    else
      fmt::format_to(out, "zero {} {}\n", x.address, x.bytes);
  }
  fmt::format_to(out, "end {}\n", count);
  return text;
}

} // namespace forkfleet::qemu
