// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/device_state.hpp"

#include <algorithm>
#include <array>

namespace forkfleet::qemu {

namespace {

constexpr auto header =
  std::to_array<uint8_t>({'Q', 'E', 'V', 'M', 0, 0, 0, 3});
constexpr uint8_t end_of_sections = 0x00;
constexpr uint8_t configuration_section = 0x07;

// A section of type 6: be32 length, "{}".
constexpr auto no_description =
  std::to_array<uint8_t>({0x06, 0, 0, 0, 2, '{', '}'});

} // namespace

expected<std::vector<uint8_t>>
loadable_device_state(std::span<const uint8_t> saved,
                      std::string_view machine_type) {
  if (saved.size() <= header.size()
      || !std::equal(header.begin(), header.end(), saved.begin())
      || saved.back() != end_of_sections)
    return fail(ec::vmm_refused, "the saved device state is not whole");
  auto result = std::vector<uint8_t>{};
  result.reserve(saved.size() + machine_type.size() + 16);
  auto add = [&result](const auto& bytes) {
    result.insert(result.end(), bytes.begin(), bytes.end());
  };
  add(header);
  result.push_back(configuration_section);
  for (int shift = 24; shift >= 0; shift -= 8)
    result.push_back(static_cast<uint8_t>(machine_type.size() >> shift));
  add(machine_type);
  add(saved.subspan(header.size()));
  add(no_description);
  return result;
}

} // namespace forkfleet::qemu
