// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/tracking_obstacle.hpp"

#include <array>

namespace forkfleet::qemu {

namespace {

struct blind_spot {
  std::string_view type;
  std::string_view why;
};

constexpr std::array blind_spots{
  blind_spot{"balloon", "gives pages back to the host behind the tracker"},
  blind_spot{"virtio-mem", "plugs and unplugs memory behind the tracker"},
  blind_spot{"pc-dimm", "is memory that was plugged in later"},
  blind_spot{"nvdimm", "is memory that was plugged in later"},
  blind_spot{"vfio", "writes to memory without the processor"},
  blind_spot{"vhost-user", "shares memory with another process"},
};

} // namespace

std::string obstacle_of_device(std::string_view type) {
  for (const auto& x : blind_spots)
    if (type.find(x.type) != std::string_view::npos)
      return "its device " + std::string{type} + " " + std::string{x.why};
  return {};
}

expected<std::string> tracking_obstacle(qmp_client& qmp, deadline_point until) {
  for (const char* place :
       {"/machine/peripheral", "/machine/peripheral-anon"}) {
    const auto asked = qmp.execute("qom-list", json{{"path", place}}, until);
    if (!asked)
      return tl::unexpected(asked.error());
    for (const auto& property : *asked)
      if (auto why = obstacle_of_device(text_member(property, "type"));
          !why.empty())
        return why;
  }
  return std::string{};
}

} // namespace forkfleet::qemu
