// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/attached_machine.hpp"

#include <filesystem>

#include <fmt/format.h>

#include "actors/durable_file.hpp"
#include "node/qemu/vm_launch.hpp"

namespace forkfleet::qemu {

namespace {

std::string option_value(const std::vector<std::string>& argv,
                         const std::string& name) {
  for (std::size_t i = 0; i + 1 < argv.size(); ++i)
    if (argv[i] == name || argv[i] == "-" + name)
      return argv[i + 1];
  return {};
}

std::string absolute(const std::string& path, const std::string& directory) {
  return path.empty() || path.front() == '/' ? path : directory + "/" + path;
}

machine read_process(pid_t pid) {
  auto error = std::error_code{};
  const auto directory =
    std::filesystem::read_symlink(fmt::format("/proc/{}/cwd", pid), error);
  return read_command_line(arguments_of_process(pid), directory.string());
}

// A file that cannot be read is left out: the VM can be branched all the same,
// only no child can be started.
void pin_what_is_there(machine& x) {
  if (pin_files(x))
    return;
  x.kernel.clear();
  x.initrd.clear();
  x.files.clear();
}

expected<uint64_t> ask_memory(qmp_client& qmp, deadline_point until) {
  const auto asked = qmp.execute("query-memory-size-summary", until);
  if (!asked)
    return tl::unexpected(asked.error());
  if (number_member(*asked, "plugged-memory") > 0)
    return fail(ec::unsupported,
                qmp.path()
                  + ": memory that was plugged in later cannot be "
                    "captured");
  return number_member(*asked, "base-memory");
}

std::string ask_memory_block(qmp_client& qmp, deadline_point until) {
  const auto asked = qmp.execute(
    "qom-get", json{{"path", "/machine"}, {"property", "memory-backend"}},
    until);
  const auto path =
    asked && asked->is_string() ? asked->get<std::string>() : std::string{};
  // Such as /objects/mem: the block has the last name.
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

} // namespace

std::vector<std::string> arguments_of_process(pid_t pid) {
  const auto text =
    read_small_file(fmt::format("/proc/{}/cmdline", pid)).value_or("");
  auto result = std::vector<std::string>{};
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = std::min(text.find('\0', begin), text.size());
    result.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return result;
}

machine read_command_line(const std::vector<std::string>& argv,
                          const std::string& directory) {
  auto x = machine{};
  x.kernel = absolute(option_value(argv, "-kernel"), directory);
  x.initrd = absolute(option_value(argv, "-initrd"), directory);
  x.append = option_value(argv, "-append");
  if (const auto cpu = option_value(argv, "-cpu"); !cpu.empty())
    x.cpu = cpu;
  for (const auto& argument : argv)
    if (argument.starts_with("isa-debugcon"))
      x.debug_console = true;
  return x;
}

expected<machine> ask_machine(qmp_client& qmp,
                              const config::sandbox_section& spec,
                              deadline_point until) {
  auto x = read_process(qmp.process().pid);
  if (!spec.kernel.empty()) {
    x.kernel = spec.kernel;
    x.initrd = spec.initrd;
    x.append = spec.append;
  }
  x.disks = spec.disks;
  x.more = spec.qemu_arguments;
  pin_what_is_there(x);
  const auto memory = ask_memory(qmp, until);
  if (!memory)
    return tl::unexpected(memory.error());
  x.memory_bytes = *memory;
  const auto type = machine_type(qmp, until);
  if (!type)
    return tl::unexpected(type.error());
  x.type = *type;
  x.memory_block = ask_memory_block(qmp, until);
  const auto kvm = qmp.execute("query-kvm", until);
  x.accelerator = kvm && bool_member(*kvm, "enabled") ? "kvm" : "tcg";
  const auto processors = qmp.execute("query-cpus-fast", until);
  if (!processors)
    return tl::unexpected(processors.error());
  x.vcpus = processors->size();
  return x;
}

} // namespace forkfleet::qemu
