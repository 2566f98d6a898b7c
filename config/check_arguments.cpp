// SPDX-License-Identifier: Apache-2.0
// What a sandbox' qemu_arguments may not say, since forkfleet says it: with
// it a VM would not be the one that is recorded, watched and confined.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "config/check.hpp"

namespace forkfleet::config {

namespace {

struct reserved_option {
  std::string_view name = {}; // as of qemu-system-x86_64(1), without a dash
  std::string_view why = {};
  std::string_view remedy = "remove it";
};

constexpr std::string_view keeps_ended =
  "would keep a VM whose guest has ended as one that runs";
constexpr std::string_view starts_otherwise =
  "would start the VM in another state than forkfleet does";
constexpr std::string_view runs_otherwise =
  "changes how QEMU itself runs, which forkfleet decides";
constexpr std::string_view from_file =
  "hides from forkfleet what the VM is made of";
constexpr std::string_view has_key = "is set by a key of the sandbox";

constexpr auto reserved = std::to_array<reserved_option>({
  {"action", keeps_ended},
  {"no-shutdown", keeps_ended},
  {"watchdog-action", keeps_ended},
  {"S", starts_otherwise},
  {"incoming", starts_otherwise},
  {"loadvm", starts_otherwise},
  {"preconfig", starts_otherwise},
  {"snapshot", starts_otherwise, "use disks: their images are only read"},
  {"chroot", runs_otherwise},
  {"daemonize", runs_otherwise},
  {"pidfile", runs_otherwise},
  {"runas", runs_otherwise},
  {"run-with", runs_otherwise},
  {"sandbox", runs_otherwise},
  {"readconfig", from_file, "give its options one by one"},
  {"set", from_file, "give the property where its device is made"},
  {"M", has_key, "use machine"},
  {"machine", has_key, "use machine"},
  {"accel", has_key, "use accelerator"},
  {"enable-kvm", has_key, "use accelerator"},
  {"smp", has_key, "use vcpus"},
  {"m", has_key, "use memory"},
  {"mem-path", has_key, "use memory"},
  {"numa", "would give the VM more than one block of main memory"},
  {"kernel", has_key, "use kernel"},
  {"initrd", has_key, "use initrd"},
  {"append", has_key, "use append"},
});

constexpr std::size_t argument_max = 4000;
constexpr std::size_t arguments_max = 64;

bool is_line(const std::string& text) {
  return text.find_first_of("\n\r") == std::string::npos;
}

} // namespace

void check_arguments(checker& run, const sandbox_section& x,
                     const std::string& sandbox) {
  const auto path = sandbox + ".qemu_arguments";
  if (run.has_problem(path))
    return;
  if (x.qemu_arguments.size() > arguments_max)
    run.report(path, fmt::format("has more than {}", arguments_max));
  for (std::size_t i = 0; i < x.qemu_arguments.size(); ++i) {
    const auto& text = x.qemu_arguments[i];
    const auto at = fmt::format("{}[{}]", path, i);
    if (text.size() > argument_max || !is_line(text)) {
      run.report(
        at, fmt::format("is no line of at most {} characters", argument_max));
      return;
    }
    if (!text.starts_with('-'))
      continue;
    const auto name =
      std::string_view{text}.substr(text.starts_with("--") ? 2 : 1);
    const auto found =
      std::ranges::find(reserved, name, &reserved_option::name);
    if (found != reserved.end())
      run.report(at, fmt::format("{} {}", text, found->why),
                 std::string{found->remedy});
  }
}

} // namespace forkfleet::config
