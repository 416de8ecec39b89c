import { Badge, createTheme, type MantineColorsTuple } from "@mantine/core";

const teal: MantineColorsTuple = [
  "#effbf8", "#d6f3ec", "#abe6d9", "#79d6c3", "#49bfa9", "#27a38e", "#138070", "#0f6b5f", "#0d564d", "#0a433d",
];

// Greys with the panel's slight green, for fields and menus in the dark.
const dark: MantineColorsTuple = [
  "#e9eeec", "#c3ccc9", "#9aa6a2", "#6d7a76", "#35413d", "#27302d", "#1d2422", "#171d1b", "#101413", "#0a0d0c",
];

export const theme = createTheme({
  primaryColor: "teal",
  primaryShade: { light: 7, dark: 6 },
  colors: { teal, dark },
  fontFamily: "'Geist Variable', system-ui, sans-serif",
  fontFamilyMonospace: "'Geist Mono Variable', ui-monospace, monospace",
  headings: { fontWeight: "600" },
  defaultRadius: "md",
  autoContrast: true,
  cursorType: "pointer",
  respectReducedMotion: true,
  components: {
    Badge: Badge.extend({ defaultProps: { tt: "none", fw: 500 } }),
  },
});
