// SPDX-License-Identifier: Apache-2.0
#include "node/bench/memory_use.hpp"

#include <charconv>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

namespace forkfleet::bench {

namespace {

/// The bytes of one line, such as "Pss_Anon:     1234 kB".
std::optional<uint64_t> bytes_of(std::string_view rollup,
                                 std::string_view name) {
  const auto place = rollup.find("\n" + std::string{name} + ":");
  if (place == std::string_view::npos)
    return std::nullopt;
  auto rest = rollup.substr(place + name.size() + 2);
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  uint64_t kilobytes = 0;
  const auto* end = rest.data() + rest.size();
  if (std::from_chars(rest.data(), end, kilobytes).ec != std::errc{})
    return std::nullopt;
  return kilobytes << 10;
}

} // namespace

expected<memory_use> parse_memory_use(std::string_view rollup) {
  const auto pss = bytes_of(rollup, "Pss");
  const auto anonymous = bytes_of(rollup, "Pss_Anon");
  const auto shared = bytes_of(rollup, "Pss_Shmem");
  if (!pss || !anonymous || !shared)
    return fail(ec::unsupported,
                "smaps_rollup without Pss, Pss_Anon or Pss_Shmem: a kernel "
                "from 5.4 on tells them");
  return memory_use{.pss = *pss, .own = *anonymous + *shared};
}

expected<memory_use> read_memory_use(int pid) {
  const auto path = "/proc/"
                    + (pid == 0 ? std::string{"self"} : std::to_string(pid))
                    + "/smaps_rollup";
  std::ifstream file{path};
  const std::string text{std::istreambuf_iterator<char>{file}, {}};
  if (text.empty())
    return fail(ec::io_failed, path + " cannot be read");
  return parse_memory_use(text);
}

} // namespace forkfleet::bench
