package tenant

import (
	"regexp"

	"mangrove/internal/schema"
)

var hexColor = regexp.MustCompile(`^#(([0-9a-fA-F]{3}){1,2}|([0-9a-fA-F]{4}){1,2})$`)

// brandingBody is UpdateBrandingRequestContent.
var brandingBody = schema.Property{Types: obj, Closed: true, Min: 1, Description: "Branding settings", Members: []schema.Property{
	{Name: "colors", Types: obj | orNull, Closed: true, Min: 1, Description: "Custom color settings.", Members: []schema.Property{
		{Name: "primary", Types: str | orNull, Format: schema.FormatColorOrNull, Description: "Accent color."},
		{Name: "page_background", Types: str | obj | orNull, Format: schema.FormatColorOrNull, Description: "Page Background Color or Gradient."},
	}},
	{Name: "favicon_url", Types: str | orNull, Format: schema.FormatHTTPSOrNull, Description: "URL for the favicon. Must use HTTPS."},
	{Name: "logo_url", Types: str | orNull, Format: schema.FormatHTTPSOrNull, Description: "URL for the logo. Must use HTTPS."},
	{Name: "font", Types: obj | orNull, Closed: true, Min: 1, Description: "Custom font settings.", Members: []schema.Property{
		{Name: "url", Types: str | orNull, Format: schema.FormatHTTPSOrNull, Description: "URL for the custom font. The URL must point to a font file and not a stylesheet. Must use HTTPS."},
	}},
}}

// themeBody is CreateBrandingThemeRequestContent, and the same for updates.
var themeBody = schema.Property{Types: obj, Closed: true, Required: []string{"borders", "colors", "fonts", "page_background", "widget"}, Min: 1, Description: "Branding theme", Members: []schema.Property{
	{Name: "borders", Types: obj, Closed: true, Required: []string{"button_border_radius", "button_border_weight", "buttons_style", "input_border_radius", "input_border_weight", "inputs_style", "show_widget_shadow", "widget_border_weight", "widget_corner_radius"}, Members: []schema.Property{
		{Name: "button_border_radius", Types: number, Min: 1, Max: 10, Description: "Button border radius"},
		{Name: "button_border_weight", Types: number, Max: 10, Description: "Button border weight"},
		{Name: "buttons_style", Types: str, Enum: []string{"pill", "rounded", "sharp"}, Description: "Buttons style"},
		{Name: "input_border_radius", Types: number, Max: 10, Description: "Input border radius"},
		{Name: "input_border_weight", Types: number, Max: 3, Description: "Input border weight"},
		{Name: "inputs_style", Types: str, Enum: []string{"pill", "rounded", "sharp"}, Description: "Inputs style"},
		{Name: "show_widget_shadow", Types: boolean, Description: "Show widget shadow"},
		{Name: "widget_border_weight", Types: number, Max: 10, Description: "Widget border weight"},
		{Name: "widget_corner_radius", Types: number, Max: 50, Description: "Widget corner radius"},
	}},
	{Name: "colors", Types: obj, Closed: true, Required: []string{"body_text", "error", "header", "icons", "input_background", "input_border", "input_filled_text", "input_labels_placeholders", "links_focused_components", "primary_button", "primary_button_label", "secondary_button_border", "secondary_button_label", "success", "widget_background", "widget_border"}, Members: []schema.Property{
		{Name: "base_focus_color", Types: str, Pattern: hexColor, Description: "Base Focus Color"},
		{Name: "base_hover_color", Types: str, Pattern: hexColor, Description: "Base Hover Color"},
		{Name: "body_text", Types: str, Pattern: hexColor, Description: "Body text"},
		{Name: "captcha_widget_theme", Types: str, Enum: []string{"auto", "dark", "light"}, Description: "Captcha Widget Theme"},
		{Name: "error", Types: str, Pattern: hexColor, Description: "Error"},
		{Name: "header", Types: str, Pattern: hexColor, Description: "Header"},
		{Name: "icons", Types: str, Pattern: hexColor, Description: "Icons"},
		{Name: "input_background", Types: str, Pattern: hexColor, Description: "Input background"},
		{Name: "input_border", Types: str, Pattern: hexColor, Description: "Input border"},
		{Name: "input_filled_text", Types: str, Pattern: hexColor, Description: "Input filled text"},
		{Name: "input_labels_placeholders", Types: str, Pattern: hexColor, Description: "Input labels & placeholders"},
		{Name: "links_focused_components", Types: str, Pattern: hexColor, Description: "Links & focused components"},
		{Name: "primary_button", Types: str, Pattern: hexColor, Description: "Primary button"},
		{Name: "primary_button_label", Types: str, Pattern: hexColor, Description: "Primary button label"},
		{Name: "read_only_background", Types: str, Pattern: hexColor, Description: "Read only background"},
		{Name: "secondary_button_border", Types: str, Pattern: hexColor, Description: "Secondary button border"},
		{Name: "secondary_button_label", Types: str, Pattern: hexColor, Description: "Secondary button label"},
		{Name: "success", Types: str, Pattern: hexColor, Description: "Success"},
		{Name: "widget_background", Types: str, Pattern: hexColor, Description: "Widget background"},
		{Name: "widget_border", Types: str, Pattern: hexColor, Description: "Widget border"},
	}},
	{Name: "displayName", Types: str, Max: 2048, Pattern: regexp.MustCompile(`^[^<>]*$`), Description: "Display Name"},
	{Name: "fonts", Types: obj, Closed: true, Required: []string{"body_text", "buttons_text", "font_url", "input_labels", "links", "links_style", "reference_text_size", "subtitle", "title"}, Members: []schema.Property{
		{Name: "body_text", Types: obj, Closed: true, Required: []string{"bold", "size"}, Description: "Body text", Members: []schema.Property{
			{Name: "bold", Types: boolean, Description: "Body text bold"},
			{Name: "size", Types: number, Max: 150, Description: "Body text size"},
		}},
		{Name: "buttons_text", Types: obj, Closed: true, Required: []string{"bold", "size"}, Description: "Buttons text", Members: []schema.Property{
			{Name: "bold", Types: boolean, Description: "Buttons text bold"},
			{Name: "size", Types: number, Max: 150, Description: "Buttons text size"},
		}},
		{Name: "font_url", Types: str, Format: schema.FormatHTTPSOrEmpty, Description: "Font URL"},
		{Name: "input_labels", Types: obj, Closed: true, Required: []string{"bold", "size"}, Description: "Input Labels", Members: []schema.Property{
			{Name: "bold", Types: boolean, Description: "Input Labels bold"},
			{Name: "size", Types: number, Max: 150, Description: "Input Labels size"},
		}},
		{Name: "links", Types: obj, Closed: true, Required: []string{"bold", "size"}, Description: "Links", Members: []schema.Property{
			{Name: "bold", Types: boolean, Description: "Links bold"},
			{Name: "size", Types: number, Max: 150, Description: "Links size"},
		}},
		{Name: "links_style", Types: str, Enum: []string{"normal", "underlined"}, Description: "Links style"},
		{Name: "reference_text_size", Types: number, Min: 12, Max: 24, Description: "Reference text size"},
		{Name: "subtitle", Types: obj, Closed: true, Required: []string{"bold", "size"}, Description: "Subtitle", Members: []schema.Property{
			{Name: "bold", Types: boolean, Description: "Subtitle bold"},
			{Name: "size", Types: number, Max: 150, Description: "Subtitle size"},
		}},
		{Name: "title", Types: obj, Closed: true, Required: []string{"bold", "size"}, Description: "Title", Members: []schema.Property{
			{Name: "bold", Types: boolean, Description: "Title bold"},
			{Name: "size", Types: number, Min: 75, Max: 150, Description: "Title size"},
		}},
	}},
	{Name: "page_background", Types: obj, Closed: true, Required: []string{"background_color", "background_image_url", "page_layout"}, Members: []schema.Property{
		{Name: "background_color", Types: str, Pattern: hexColor, Description: "Background color"},
		{Name: "background_image_url", Types: str, Format: schema.FormatHTTPSOrEmpty, Description: "Background image url"},
		{Name: "page_layout", Types: str, Enum: []string{"center", "left", "right"}, Description: "Page Layout"},
	}},
	{Name: "widget", Types: obj, Closed: true, Required: []string{"header_text_alignment", "logo_height", "logo_position", "logo_url", "social_buttons_layout"}, Members: []schema.Property{
		{Name: "header_text_alignment", Types: str, Enum: []string{"center", "left", "right"}, Description: "Header text alignment"},
		{Name: "logo_height", Types: number, Min: 1, Max: 100, Description: "Logo height"},
		{Name: "logo_position", Types: str, Enum: []string{"center", "left", "none", "right"}, Description: "Logo position"},
		{Name: "logo_url", Types: str, Format: schema.FormatHTTPSOrEmpty, Description: "Logo url"},
		{Name: "social_buttons_layout", Types: str, Enum: []string{"bottom", "top"}, Description: "Social buttons layout"},
	}},
}}

// promptsBody is UpdateSettingsRequestContent.
var promptsBody = schema.Property{Types: obj, Closed: true, Min: 1, Description: "Prompts settings", Members: []schema.Property{
	{Name: "universal_login_experience", Types: str, Enum: []string{"new", "classic"}, Description: "Which login experience to use. Can be `new` or `classic`."},
	{Name: "identifier_first", Types: boolean | orNull, Description: "Whether identifier first is enabled or not"},
	{Name: "webauthn_platform_first_factor", Types: boolean | orNull, Description: "Use WebAuthn with Device Biometrics as the first authentication factor"},
}}
