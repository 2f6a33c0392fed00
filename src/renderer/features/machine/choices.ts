/** One choice of a list: what the machine is told, and what a person calls it. */
export interface NamedChoice {
  value: string
  name: string
}

/** Every time zone that the window knows, by its city. */
export function timeZones(): NamedChoice[] {
  return [
    { value: 'Etc/UTC', name: 'UTC, the same everywhere' },
    ...Intl.supportedValuesOf('timeZone').map((value) => ({
      value,
      name: value
        .slice(value.indexOf('/') + 1)
        .replaceAll('_', ' ')
        .replaceAll('/', ', '),
    })),
  ]
}

/** Languages with their countries that distributions bring a locale for; another one can be typed. */
const localeCodes =
  'en_US en_GB en_AU en_CA en_IE en_IN en_NZ en_ZA de_DE de_AT de_CH fr_FR fr_BE fr_CA fr_CH es_ES es_AR es_CL es_CO es_MX it_IT it_CH pt_PT pt_BR nl_NL nl_BE da_DK sv_SE nb_NO nn_NO fi_FI is_IS et_EE lv_LV lt_LT pl_PL cs_CZ sk_SK hu_HU sl_SI hr_HR sr_RS bs_BA mk_MK bg_BG ro_RO el_GR tr_TR uk_UA ru_RU ka_GE hy_AM az_AZ kk_KZ he_IL ar_EG ar_SA fa_IR ur_PK hi_IN bn_BD bn_IN ta_IN te_IN th_TH vi_VN id_ID ms_MY ja_JP ko_KR zh_CN zh_TW zh_HK ca_ES eu_ES gl_ES ga_IE cy_GB af_ZA sw_KE'

/** Locales in UTF-8, and the plain one. */
export function locales(): NamedChoice[] {
  const names = new Intl.DisplayNames('en', { type: 'language', languageDisplay: 'standard' })
  return [
    { value: 'C.UTF-8', name: 'None: plain texts for programs' },
    ...localeCodes.split(' ').map((code) => ({
      value: `${code}.UTF-8`,
      name: names.of(code.replace('_', '-')) ?? code,
    })),
  ]
}

/** Layouts of xkeyboard-config (rules/base.lst) that have a keyboard of their own; another one can be typed. */
export const keyboards: readonly NamedChoice[] = Object.entries({
  us: 'English (US)',
  gb: 'English (UK)',
  de: 'German',
  at: 'German (Austria)',
  ch: 'German and French (Switzerland)',
  fr: 'French',
  be: 'Belgian',
  ca: 'French (Canada)',
  es: 'Spanish',
  latam: 'Spanish (Latin America)',
  it: 'Italian',
  pt: 'Portuguese',
  br: 'Portuguese (Brazil)',
  nl: 'Dutch',
  dk: 'Danish',
  se: 'Swedish',
  no: 'Norwegian',
  fi: 'Finnish',
  is: 'Icelandic',
  ee: 'Estonian',
  lv: 'Latvian',
  lt: 'Lithuanian',
  pl: 'Polish',
  cz: 'Czech',
  sk: 'Slovak',
  hu: 'Hungarian',
  si: 'Slovenian',
  hr: 'Croatian',
  rs: 'Serbian',
  bg: 'Bulgarian',
  ro: 'Romanian',
  gr: 'Greek',
  tr: 'Turkish',
  ua: 'Ukrainian',
  ru: 'Russian',
  il: 'Hebrew',
  jp: 'Japanese',
  kr: 'Korean',
}).map(([value, name]) => ({ value, name }))
