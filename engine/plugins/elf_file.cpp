// Source of the format: System V Application Binary Interface, chapters 4 and 5; <elf.h>.
#include "engine/plugins/elf_file.hpp"

#include <elf.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>

#include <attune/plugin_abi.h>

namespace attune::detail {
namespace {

constexpr std::uint64_t most_bytes = 64 << 20;  // of one table: more is no plugin but an attack on memory

#if defined(__x86_64__)
constexpr std::uint16_t this_machine = EM_X86_64;
#elif defined(__aarch64__)
constexpr std::uint16_t this_machine = EM_AARCH64;
#elif defined(__riscv)
constexpr std::uint16_t this_machine = EM_RISCV;
#elif defined(__powerpc64__)
constexpr std::uint16_t this_machine = EM_PPC64;
#else
#error "say here which machine an ELF file must be for"
#endif
constexpr unsigned char this_data = std::endian::native == std::endian::little ? ELFDATA2LSB : ELFDATA2MSB;

/// A part of a file; nothing reaches beyond its end.
class Reader {
 public:
  Reader(int descriptor, std::uint64_t size) noexcept : descriptor_(descriptor), size_(size) {}

  bool holds(std::uint64_t offset, std::uint64_t bytes) const noexcept {
    return offset <= size_ && bytes <= size_ - offset;
  }

  template <typename T>
  std::optional<std::vector<T>> table(std::uint64_t offset, std::uint64_t count) const {
    if (count > most_bytes / sizeof(T) || !holds(offset, count * sizeof(T))) return std::nullopt;
    std::vector<T> result(count);
    if (!read(offset, reinterpret_cast<char*>(result.data()), count * sizeof(T))) return std::nullopt;
    return result;
  }

  std::optional<Elf64_Ehdr> header() const {
    const auto found = table<Elf64_Ehdr>(0, 1);
    return found ? std::optional(found->front()) : std::nullopt;
  }

 private:
  bool read(std::uint64_t offset, char* to, std::uint64_t bytes) const {
    while (bytes > 0) {
      const ssize_t count = pread(descriptor_, to, bytes, static_cast<off_t>(offset));
      if (count <= 0) return false;
      to += count, offset += static_cast<std::uint64_t>(count), bytes -= static_cast<std::uint64_t>(count);
    }
    return true;
  }

  int descriptor_;
  std::uint64_t size_;
};

std::string complaint_about(const Elf64_Ehdr& header) {
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return "it is not an ELF file";
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != this_data ||
      header.e_machine != this_machine) {
    return "it was built for another kind of machine (ELF machine " + std::to_string(header.e_machine) +
           "; this one is " + std::to_string(this_machine) + ")";
  }
  if (header.e_type != ET_DYN) return "it is an ELF file, but not a shared library";
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum == 0) return "its program headers are damaged";
  if (header.e_shnum != 0 && header.e_shentsize != sizeof(Elf64_Shdr)) return "its section headers are damaged";
  return {};
}

bool is_whole(const Reader& file, const Elf64_Phdr& part) noexcept {
  if (part.p_type == PT_LOAD && part.p_filesz > part.p_memsz) return false;
  return part.p_type == PT_NULL || file.holds(part.p_offset, part.p_filesz);
}

std::string name_at(const std::vector<char>& names, std::uint32_t offset) {
  if (offset >= names.size()) return {};
  const auto begin = names.begin() + offset;
  return {begin, std::find(begin, names.end(), '\0')};
}

void collect(const std::vector<Elf64_Sym>& symbols, const std::vector<char>& names, ElfSymbols& result) {
  for (const Elf64_Sym& symbol : symbols) {
    const unsigned binding = ELF64_ST_BIND(symbol.st_info);
    if (symbol.st_shndx == SHN_UNDEF || binding == STB_LOCAL) continue;
    result.exported.push_back(name_at(names, symbol.st_name));
    if (binding == STB_GNU_UNIQUE) result.unique.push_back(result.exported.back());
  }
}

}  // namespace

std::string ElfFile::complaint() const {
  const Reader file(descriptor_, size_);
  const auto header = file.header();
  if (!header) return "it is not an ELF file: too short";
  if (std::string complaint = complaint_about(*header); !complaint.empty()) return complaint;
  const auto parts = file.table<Elf64_Phdr>(header->e_phoff, header->e_phnum);
  const bool whole = parts &&
                     std::all_of(parts->begin(), parts->end(), [&](const auto& p) { return is_whole(file, p); }) &&
                     file.holds(header->e_shoff, std::uint64_t{header->e_shnum} * sizeof(Elf64_Shdr));
  if (!whole) return "it is cut off: parts of it lie beyond its end";
  const auto is = [&](std::uint32_t type) {
    return std::any_of(parts->begin(), parts->end(), [type](const auto& p) { return p.p_type == type; });
  };
  if (!is(PT_LOAD) || !is(PT_DYNAMIC)) return "it is an ELF file, but holds nothing to load dynamically";
  const ElfSymbols known = symbols();
  const bool is_plugin =
      std::find(known.exported.begin(), known.exported.end(), ATTUNE_ABI_QUERY) != known.exported.end();
  if (known.known && !is_plugin) return "it is no plugin of Attune: it does not export " ATTUNE_ABI_QUERY;
  return {};
}

ElfSymbols ElfFile::symbols() const {
  const Reader file(descriptor_, size_);
  ElfSymbols result;
  const auto header = file.header();
  if (!header) return result;
  const auto sections = file.table<Elf64_Shdr>(header->e_shoff, header->e_shnum);
  if (!sections) return result;
  for (const Elf64_Shdr& section : *sections) {
    if (section.sh_type != SHT_DYNSYM || section.sh_link >= sections->size()) continue;
    const Elf64_Shdr& strings = (*sections)[section.sh_link];
    const auto symbols = file.table<Elf64_Sym>(section.sh_offset, section.sh_size / sizeof(Elf64_Sym));
    const auto names = file.table<char>(strings.sh_offset, strings.sh_size);
    if (!symbols || !names) continue;
    result.known = true;
    collect(*symbols, *names, result);
  }
  return result;
}

}  // namespace attune::detail
